"""A mail room run by Celery: `app` is what its workers load, `desk` hands tasks in. `tests.test_celery` runs both."""
