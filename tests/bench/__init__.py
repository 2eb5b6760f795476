"""The benchmark: Perch compared with the bare minimum of its stack, interleaved in one run."""
