"""The networks: plain torch modules that know nothing of files, tasks or the command line."""
