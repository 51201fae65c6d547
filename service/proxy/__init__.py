"""The OpenSearch proxy: what is not ours goes to the server and comes back as it is; searches may be re-ranked."""
