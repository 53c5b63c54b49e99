"""What the load benches share: callers, stand-ins that stamp, and the server under test."""
