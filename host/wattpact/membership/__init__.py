"""Who is a member of the community, and who may see what on the page."""
