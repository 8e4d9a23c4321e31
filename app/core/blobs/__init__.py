"""Where large bytes lie: on the disk or in an S3-compatible store, behind one contract."""
