"""Look at pictures that strangers made: headers here, decoding in a child process with limits.

Nothing in this package imports the rest of the house, so that the child starts quickly and holds
nothing that a bug in a decoder could reach.
"""
