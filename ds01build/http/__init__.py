"""HTTP for the edges: one way to ask, with bounds on time, redirects and where they lead."""
