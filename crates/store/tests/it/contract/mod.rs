//! What every backend has to do: many small cases, each given a store of its own.
//!
//! A backend calls `contract!` with an async function that answers a new store and whatever has to live as
//! long as it.

pub mod accounts;
pub mod concurrent;
pub mod ledger;
pub mod log;
pub mod merge;
pub mod missions;
pub mod moving;
pub mod push;
pub mod retention;
pub mod runs;
pub mod scopes;
pub mod snapshot;
pub mod support;

/// Makes a test of each case, on the store that `$open` gives.
macro_rules! contract {
    ($open:path) => {
        contract!($open;
            log: sync_s2_pages_are_read_to_the_end_without_a_gap,
            log: sync_s1_stamps_grow_though_the_clock_stands_still_or_goes_back,
            log: sync_s2_limit_counts_the_rows_left_out,
            log: sync_s2_has_more_is_exact_at_the_end_of_a_page,
            log: sync_s2_a_filter_keeps_apps_tables_and_clients_apart,
            log: sync_s2_an_empty_log_answers_the_cursor_it_was_given,
            log: sync_s2_a_page_of_large_changes_ends_early_and_goes_on,
            log: sync_c1_unknown_fields_come_back_as_they_went_in,
            log: sync_c4_every_kind_of_change_comes_back_with_explicit_stamps,
            snapshot: sync_s7_pages_hold_every_record_once_by_key_tombstones_too,
            snapshot: sync_s7_a_snapshot_can_be_of_one_app_and_is_of_one_person,
            snapshot: sync_s7_a_page_of_large_records_ends_early,
            snapshot: sync_s7_a_snapshot_and_the_log_after_it_make_the_records_while_others_write,
            snapshot: sync_s7_joining_a_snapshot_loses_nothing_of_ones_own,
            push: sync_s2_an_empty_push_answers_the_end_of_the_log,
            push: sync_s4_a_replay_stores_nothing,
            push: sync_s4_an_event_id_twice_in_a_push_counts_once,
            push: sync_s4_a_push_that_was_stored_in_part_stores_the_rest,
            push: sync_t3_future_stamps_are_set_back_in_their_order,
            push: sync_t3_what_is_later_stays_later_in_the_next_push_whatever_the_clock,
            push: sync_s4_a_replay_answers_the_same_adjusted,
            push: sync_t3_stamps_within_a_minute_stay,
            push: sync_s3_a_bad_change_stores_nothing_of_its_push,
            push: sync_s1_thousands_of_changes_at_once,
            push: tables_names_what_was_appended,
            merge: sync_m1_any_order_any_batches_same_records,
            merge: sync_m1_records_equal_a_replay_of_the_log,
            merge: sync_m5_a_delete_wins_over_a_later_update,
            merge: sync_m5_an_explicit_null_restores,
            merge: sync_l1_iterations_of_two_writers_both_stay,
            merge: sync_m9_a_table_without_a_manifest_is_merged_by_field,
            merge: sync_m3_an_older_write_changes_no_record,
            scopes: a_log_is_read_by_its_owner_alone,
            scopes: records_are_read_by_their_owner_alone,
            scopes: sync_s4_an_event_id_is_unique_for_a_user_only,
            scopes: run_inputs_are_read_by_their_owner_alone,
            scopes: a_fence_of_another_user_is_refused,
            scopes: the_same_mission_id_of_two_users_is_two_missions,
            missions: sync_s9_a_new_mission_is_scheduled_and_its_device_told,
            missions: sync_s9_pause_takes_it_out_and_resume_puts_it_back,
            missions: sync_s9_delete_takes_it_out,
            missions: sync_s9_a_new_cadence_moves_the_due_time,
            missions: sync_s9_a_given_next_run_stays,
            missions: the_accounts_time_zone_counts,
            missions: a_retry_keeps_its_slot,
            missions: a_manual_mission_is_never_due,
            missions: other_changes_leave_the_schedule_alone,
            runs: nothing_is_claimed_before_it_is_due,
            runs: a_claim_is_held_until_its_lease_ends,
            runs: a_takeover_has_the_greater_token,
            runs: a_late_writer_is_refused_and_stores_nothing,
            runs: a_finished_run_ends_its_claim_and_request,
            runs: a_repeated_result_is_a_replay,
            runs: one_claim_a_mission,
            runs: a_due_slot_that_was_asked_for_is_one_run,
            runs: renew_prolongs_a_held_claim_only,
            runs: release_gives_the_slot_back_untried,
            runs: release_all_counts_the_attempts,
            runs: missions_w6_people_take_turns,
            runs: missions_w6_a_person_has_so_many_runs_at_a_time,
            runs: missions_t13_only_what_was_asked_for_can_be_taken,
            runs: missions_q5_so_many_runs_of_a_person_wait,
            runs: missions_t11_a_run_is_seen_while_it_waits_and_goes_on,
            runs: missions_q6_a_run_that_waits_is_taken_back,
            runs: missions_q6_a_run_that_goes_on_is_marked_for_whoever_holds_it,
            runs: missions_t9_a_result_made_from_an_older_mission_is_refused,
            runs: debug_records_are_kept_the_newest_and_by_their_size,
            runs: attempts_start_anew_with_another_slot,
            runs: asking_twice_is_asking_once,
            runs: a_request_waits_for_its_time,
            runs: a_dropped_run_is_gone,
            runs: a_drop_without_the_claim_does_nothing,
            runs: next_wake_is_the_earliest_of_all,
            runs: the_longest_due_come_first_up_to_the_limit,
            runs: many_workers_claim_each_run_once,
            accounts: an_address_has_one_account,
            accounts: the_owner_is_made_once_by_the_setup_secret,
            accounts: a_failed_sign_up_leaves_the_secret_good,
            accounts: two_owners_at_once_make_one,
            accounts: a_new_setup_secret_replaces_the_old,
            accounts: an_invitation_is_listed_until_it_is_used_or_taken_back,
            accounts: an_account_from_elsewhere_is_made_once,
            accounts: an_invitation_is_good_once_and_until_it_expires,
            accounts: a_session_ends_when_it_expires,
            accounts: a_session_is_found_and_ended_by_its_id,
            accounts: a_session_can_be_prolonged_while_it_lasts,
            accounts: a_new_password_ends_every_session,
            accounts: a_session_needs_an_account,
            accounts: expired_things_are_forgotten,
            accounts: a_setting_is_the_first_that_was_kept,
            accounts: a_setting_can_be_replaced,
            accounts: a_setting_is_replaced_by_whoever_read_it_last,
            accounts: settings_that_are_replaced_at_once_lose_nothing,
            ledger: a_reservation_is_renewed_while_it_is_open,
            ledger: absurd_amounts_stop_neither_a_settlement_nor_a_sum,
            ledger: calls_at_once_never_exceed_a_budget,
            ledger: a_reservation_counts_in_all_its_accounts_or_in_none,
            ledger: what_was_not_used_comes_back,
            ledger: settling_twice_is_settling_once,
            ledger: a_reservation_is_settled_in_parts,
            ledger: reserving_twice_under_one_id_is_reserving_once,
            ledger: a_reservation_that_expires_counts_in_full,
            ledger: money_is_limited_like_tokens,
            ledger: a_new_window_begins_with_nothing_used,
            ledger: a_call_counts_on_the_day_it_was_reserved,
            ledger: a_call_that_took_more_than_it_reserved_counts_as_it_was,
            ledger: an_account_without_a_limit_is_counted_all_the_same,
            ledger: usage_is_summed_by_day_and_by_whatever_is_asked,
            ledger: a_virtual_key_is_kept_by_its_hash_and_goes_when_it_is_told,
            ledger: old_sums_are_forgotten,
            ledger: calls_that_share_accounts_in_any_order_do_not_wait_in_a_circle,
            concurrent: sync_s1_readers_see_every_row_once_while_many_write,
        );
    };
    ($open:path; $($module:ident: $case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _alive) = $open().await;
                $crate::contract::$module::$case(store).await;
            }
        )*
    };
}

/// The same for the verbs of whoever runs the server.
macro_rules! contract_maintenance {
    ($open:path) => {
        contract!($open;
            retention: sync_r1_what_was_overwritten_goes_and_records_stay,
            retention: sync_r1_what_stays_makes_the_same_records_byte_for_byte,
            retention: sync_r1_a_decided_step_and_its_iteration_stay,
            retention: sync_r2_the_newest_the_young_and_the_set_back_stay,
            retention: sync_r3_a_cursor_below_the_floor_is_refused,
            retention: sync_r3_a_device_that_snapshots_meets_one_that_was_there_all_along,
            retention: sync_r3_a_push_that_comes_again_after_its_row_went_changes_nothing,
            retention: sync_r1_pushes_during_a_compaction_are_all_there,
            retention: sync_r5_a_replay_of_any_log_is_what_is_stored,
            moving: sync_r6_a_log_that_comes_from_elsewhere_is_the_same,
            moving: sync_r6_a_log_that_goes_elsewhere_is_the_same,
            moving: sync_r6_an_import_that_comes_again_stores_nothing,
            moving: sync_r6_an_error_on_the_way_undoes_the_account_and_its_rows,
            moving: sync_r6_an_address_that_another_account_has_is_refused,
            moving: sync_r6_a_second_owner_becomes_a_member,
            moving: sync_r6_rows_for_a_log_that_went_on_come_after_its_end,
            moving: accounts_are_listed_by_id_a_page_at_a_time,
        );
    };
}
