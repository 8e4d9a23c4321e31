"""Where records live: in memory for tests and simulation, in a database for the city."""
