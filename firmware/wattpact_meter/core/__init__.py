"""The meter itself: what joins measuring, trading, deciding and publishing, and what outlives a restart."""
