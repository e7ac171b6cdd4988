def plant(name): return 0
