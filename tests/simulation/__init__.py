"""The proof of the engine: many phones, a bad network and wrong clocks, all from one seed."""
