"""Test kernels and the virtual machines that run them; used by scripts/kernel and scripts/vm."""
