"""Stand-ins for the images that people build on, made with ds01 itself.

``catalogue`` names them, ``standin_fixtures`` hands them to tests, and
``python tests/standins push HOST:PORT`` makes them by hand.

a, b, c  PyTorch, numpy and others where tiers write: with a local version; with a public one and
         the CUDA libraries that it asks for; in a prefix of conda behind a link
d        old Python packages, owned by .debs
e        no Python
tools    git

The names of the first three end in -light where PyTorch is one file that knows its version.
"""
