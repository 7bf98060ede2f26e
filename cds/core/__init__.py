"""Words that everything else is said in: truth, dates, facts, answers, determinations."""
