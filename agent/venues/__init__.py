"""Places to swap, one file each."""
