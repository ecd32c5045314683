"""What tests share: pictures, files, services, stand-ins. No test imports another test."""
