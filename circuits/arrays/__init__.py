"""Arrays as branch tables: topologies, what they are made of, and their builders."""
