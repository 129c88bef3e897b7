"""Sources of prices that are independent of the venues, one file each."""
