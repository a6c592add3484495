"""Library floor: no tables, no URLs, and no import of any other package of the project."""
