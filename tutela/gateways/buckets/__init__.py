"""Object stores: a new object is announced, screened, and its version is tagged, and copied where it is allowed."""
