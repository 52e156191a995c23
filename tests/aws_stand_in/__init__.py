"""A stand-in for AWS on loopback: moto, and before it the few calls that moto does not know.

`python -m aws_stand_in` (with `tests` on the path) serves it on a free port and prints its URL. Clients find it by
`AWS_ENDPOINT_URL`. State lives in the process; `POST /moto-api/reset` empties it.
"""
