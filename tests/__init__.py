"""The tests: engine, simulation, features through the real server, and the house itself."""
