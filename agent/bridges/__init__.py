"""Ways from one chain to another, one file each."""
