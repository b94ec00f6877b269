"""The networks: plain torch modules, independent of files, tasks and the command line."""
