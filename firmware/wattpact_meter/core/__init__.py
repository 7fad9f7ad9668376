"""The meter itself: joins measuring, trading, the guard and publishing, and restores them after a restart."""
