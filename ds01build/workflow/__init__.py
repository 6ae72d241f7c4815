"""Workflows: values and edges composed into what a user asks for."""
