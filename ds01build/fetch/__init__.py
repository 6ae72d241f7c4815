"""Fetching: verified bytes from elsewhere into a store, in parallel."""

from ds01build.fetch.parallel import (
    Blobs,
    Download,
    Event,
    Finished,
    NotThere,
    Pace,
    Received,
    Retrying,
    Waiting,
    fetch,
)

__all__ = [
    "Blobs",
    "Download",
    "Event",
    "Finished",
    "NotThere",
    "Pace",
    "Received",
    "Retrying",
    "Waiting",
    "fetch",
]
