"""From the command line and YAML files to objects, and mistakes on the way in plain words."""
