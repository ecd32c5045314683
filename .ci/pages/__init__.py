"""What the docs take from the source, a file for each kind: each has `pages()`, the pages as they should be."""
