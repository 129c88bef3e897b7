"""One chain through its nodes: snapshots, fees, simulation, submission."""
