-- The runs of a mission, newest first: a person has thousands of them, and a page is read at a time.
CREATE INDEX records_of_runs ON records
    (user_id, state -> 'data' ->> 'missionId', coalesce(state -> 'data' ->> 'startedAt', ''), record_id)
    WHERE app_id = 'ai' AND table_name = 'aiRuns';
