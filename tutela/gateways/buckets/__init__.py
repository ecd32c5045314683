"""S3 buckets: a new object is announced, screened, and tagged, moved or deleted by its verdict."""
