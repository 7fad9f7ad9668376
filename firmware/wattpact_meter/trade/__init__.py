"""Trading: offers and acceptances within an owner's mandates, contracts, and the use of grants."""
