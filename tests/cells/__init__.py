"""Every cell of the authorisation table, at every door, and two worlds that must answer alike."""
