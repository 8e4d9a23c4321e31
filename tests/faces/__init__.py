"""The faces, with the real WatermelonDB and the real RxDB talking to the real server."""
