"""Pure generators of layers: from open wheels, .debs and files to tar and gzip streams."""
