// The part of State that keeps what pods' networks owe, and settings that came at run time.
#include "base/status.h"
#include "broker/state/state.h"

namespace bulkhead::broker {

absl::Status State::LoadNetworks() {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> attachments, store_->Load(Table::kAttachments));
  for (const Row& row : attachments) {
    auto record = Record<schema::NetworkAttachment>::Parse(row.record);
    if (!record.ok()) {
      ReportBadRow("attachments", row, record.status());
      continue;
    }
    auto attachment = std::make_shared<AttachmentObject>();
    attachment->pod_id = row.id;
    attachment->record = *std::move(record);
    attachments_[row.id] = attachment;
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> settings, store_->Load(Table::kSettings));
  for (Row& row : settings) settings_[row.id] = std::move(row.record);
  return absl::OkStatus();
}

absl::Status State::Save(const AttachmentPtr& attachment, Durability durability) {
  BULKHEAD_RETURN_IF_ERROR(store_->Put(
      Table::kAttachments, {.id = attachment->pod_id, .record = attachment->record.Serialize()},
      durability));
  attachments_[attachment->pod_id] = attachment;
  return absl::OkStatus();
}

absl::Status State::Forget(const AttachmentPtr& attachment) {
  // Where a power loss brings it back, DEL is done once more.
  BULKHEAD_RETURN_IF_ERROR(
      store_->Delete(Table::kAttachments, attachment->pod_id, Durability::kProcess));
  attachments_.erase(attachment->pod_id);
  return absl::OkStatus();
}

AttachmentPtr State::FindAttachment(absl::string_view pod_id) const {
  auto found = attachments_.find(std::string(pod_id));
  return found == attachments_.end() ? nullptr : found->second;
}

absl::Status State::SaveSetting(const std::string& name, const std::string& value) {
  BULKHEAD_RETURN_IF_ERROR(
      store_->Put(Table::kSettings, {.id = name, .record = value}, Durability::kProcess));
  settings_[name] = value;
  return absl::OkStatus();
}

std::string State::Setting(const std::string& name) const {
  auto found = settings_.find(name);
  return found == settings_.end() ? "" : found->second;
}

}  // namespace bulkhead::broker
