"""A lock as a multi-stage Dockerfile that builds without ds01."""
