"""From what a recipe asks for to pins: Python packages by uv, .debs by apt."""
