"""The office's side of synced records: list, read and write them over REST, whatever the kind."""
