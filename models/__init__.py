"""What reads text: the bi-encoder, the cross-encoders, what runs them, and where they are found."""
