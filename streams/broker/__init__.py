"""A local Apache Kafka without Docker: local.py brings it up and down, of jars.py's jars, as process.py's process."""
