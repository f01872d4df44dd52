"""The rules every installation starts with. People change them under Settings; later seeds come as later migrations."""

from django.db import migrations

NOUNS = (
    "order invoice payment refund shipment delivery return customer account subscription contract ticket case claim"
    " booking reservation cart quote transfer transaction job task document application"
).split()

# name, kind, type, type attributes, keys, any prefix, state attributes, enabled, note
WORKFLOWS = [
    ("workflow", "workflow", "workflow", ["workflow.type", "workflow.name"],
     [["workflow.id"], ["workflow.run_id"], ["workflow.run.id"], ["workflow.instance.id"]], True, [], True,
     "Any engine that names its run."),
    ("Temporal workflow", "workflow", "temporal", [], [["temporalWorkflowID"]], False, [], True,
     "All runs of one workflow id; the workflow's type stands in its span names."),
    ("Celery task", "workflow", "", ["celery.task_name"], [["messaging.message.id"]], False, ["celery.state"], True,
     "The task id; its type is the task's name."),
    ("Airflow run", "workflow", "", ["airflow.dag_id"], [["airflow.dag_run.run_id"]], False,
     ["airflow.task_instance.state", "airflow.dag_run.state"], True, "One run of one DAG."),
    ("Prefect run", "workflow", "", ["prefect.flow.name"], [["prefect.run.id"], ["prefect.flow_run.id"]], False,
     ["prefect.state.type", "prefect.state.name"], True, "States come as span events."),
    ("Sidekiq job", "workflow", "", ["messaging.sidekiq.job_class"], [["messaging.message_id"], ["messaging.message.id"]],
     False, [], True, "The job's jid; its type is the job's class."),
    ("BullMQ job", "workflow", "", ["bullmq.queue.name"], [["bullmq.job.id"]], False, [], True,
     "A job's id counts within its queue, which is its type."),
    ("CI run", "workflow", "pipeline", [], [["cicd.pipeline.run.id"]], False, ["cicd.pipeline.run.state"], True, ""),
    ("conversation of messages", "workflow", "conversation", [], [["messaging.message.conversation_id"]], False, [], True, ""),
    ("GenAI conversation", "workflow", "chat", [], [["gen_ai.conversation.id"]], False, [], True, ""),
    ("function invocation", "workflow", "invocation", [], [["faas.invocation_id"]], False, [], True, ""),
    ("session", "entity", "session", [], [["session.id"]], False, [], False, "Off: makes a flow of every visit."),
    ("user", "entity", "user", [], [["user.id"], ["enduser.id"]], False, [], False, "Off: personal, and often in every record."),
]


def seed(apps, schema_editor):
    rule = apps.get_model("tracing", "Rule")
    rows = [
        rule(name=noun, kind="entity", type=noun, keys=[[f"{noun}.id"]], any_prefix=True, seeded=True) for noun in NOUNS
    ]
    rows.append(
        rule(name="entity", kind="entity", type="", type_attributes=["entity.type"], keys=[["entity.id"]],
             any_prefix=True, seeded=True, note="Whatever calls itself an entity: its type is named beside it.")
    )
    for name, kind, type_name, type_attributes, keys, any_prefix, states, enabled, note in WORKFLOWS:
        rows.append(
            rule(name=name, kind=kind, type=type_name, type_attributes=type_attributes, keys=keys, any_prefix=any_prefix,
                 state_attributes=states, enabled=enabled, seeded=True, note=note)
        )
    rule.objects.bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [("tracing", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
