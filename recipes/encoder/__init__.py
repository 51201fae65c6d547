"""Recipe of the multilingual retrieval encoder: vocabulary cut, teachers, tuning, a shallower student, evaluation."""
