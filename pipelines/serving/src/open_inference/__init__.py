"""A model server that speaks the Open Inference Protocol V2 over HTTP for one MLflow model."""
