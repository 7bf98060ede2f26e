"""What answers over HTTP: the service, its pages, and the embedded FHIR endpoint."""
