"""Everything that runs only inside an isolated worker: here hostile files meet decoders. Nothing outside imports it."""
