"""Mutation testing: change one operator, number or index of the packages, and see whether a test notices.

``python -m tools.mutants`` (`make mutants`) samples mutants with a seed, runs for each one the tests that execute the
changed line, the quickest first, and prints the mutants that no test kills. CONTRIBUTING.md says how to read them.

Why not a ready-made tool: cosmic-ray 8.7 runs the same command for every mutant, it can't select tests; mutmut 3.8
selects them by function, not by line, changes no constants of modules and classes, and draws no sample with a seed.

====================  ==================================================================
`sites.py`            the places that can be changed, found in the syntax tree
`record.py`           which test executes which line: the map, and the tests of a mutant
`plugin.py`           what pytest is told to record the map, and to run chosen tests
`runs.py`             copies of the tree, and a process per copy that forks for a mutant
`__main__.py`         the command line: sample, run, report
====================  ==================================================================
"""
