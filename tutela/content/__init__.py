"""What we look at: bytes, links and words become signals."""
