"""The steps, a module for each chapter; they run in the order of the modules' names."""
