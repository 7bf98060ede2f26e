"""What is kept between two requests: feedback, and the token ids that were seen."""
